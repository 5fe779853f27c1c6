pragma ComponentBehavior: Bound
import QtQuick
import QtQuick.Layouts
import Kiosk
import Kiosk.View

// Telephone layout. Dumb: it says digit, erase, submit, and knows nothing of what is typed.
ColumnLayout {
    id: keypad
    property bool ready: false
    readonly property int keyWidth: Metrics.mm(Metrics.landscape ? 22 : Math.min(46, (Metrics.widthMm - 40) / 3))
    readonly property int keyHeight: Metrics.mm(Metrics.narrow || Metrics.landscape ? 20 : 25)

    signal digit(digit: int)
    signal erase
    signal submit

    spacing: Metrics.gap
    LayoutMirroring.enabled: false
    LayoutMirroring.childrenInherit: true

    GridLayout {
        columns: 3
        columnSpacing: Metrics.gap
        rowSpacing: Metrics.gap
        Layout.alignment: Qt.AlignHCenter

        Repeater {
            model: 9

            KeypadKey {
                required property int index
                text: String(index + 1)
                marked: index === 4
                Layout.preferredWidth: keypad.keyWidth
                Layout.preferredHeight: keypad.keyHeight
                onClicked: keypad.digit(index + 1)
            }
        }
        KeypadKey {
            text: Words.erase
            iconName: "erase"
            Layout.preferredWidth: keypad.keyWidth
            Layout.preferredHeight: keypad.keyHeight
            onClicked: keypad.erase()
        }
        KeypadKey {
            text: "0"
            Layout.preferredWidth: keypad.keyWidth
            Layout.preferredHeight: keypad.keyHeight
            onClicked: keypad.digit(0)
        }
        KButton {
            visible: !Metrics.landscape
            kind: "main"
            enabled: keypad.ready
            text: Words.submit
            Accessible.name: enabled ? Words.submit : Words.submitLater
            Layout.preferredWidth: keypad.keyWidth
            Layout.preferredHeight: keypad.keyHeight
            onClicked: keypad.submit()
        }
    }
    KButton {
        visible: Metrics.landscape
        kind: "main"
        enabled: keypad.ready
        text: Words.submit
        Accessible.name: enabled ? Words.submit : Words.submitLater
        Layout.alignment: Qt.AlignHCenter
        Layout.preferredWidth: 3 * keypad.keyWidth + 2 * Metrics.gap
        onClicked: keypad.submit()
    }
}
