pragma ComponentBehavior: Bound
import QtQuick
import QtQuick.Layouts
import Kiosk
import Kiosk.View

// Telephone layout. Dumb: it says digit, erase, submit, and knows nothing of what is typed.
ColumnLayout {
    id: keypad
    property bool ready: false
    property bool quiet: false
    readonly property int keyWidth: Metrics.mm(Metrics.landscape ? 22 : Math.min(46, (Metrics.widthMm - 40) / 3))
    readonly property int keyHeight: Metrics.mm(Metrics.narrow || Metrics.landscape ? 20 : 25)

    // Words where they fit the keys; otherwise a pictogram, and the word below on its own key.
    readonly property bool roomy: Math.max(submitWord.advanceWidth, eraseWord.advanceWidth) + 2 * Metrics.gap <= keyWidth

    signal digit(digit: int)
    signal erase
    signal submit

    spacing: Metrics.gap
    LayoutMirroring.enabled: false
    LayoutMirroring.childrenInherit: true

    TextMetrics {
        id: submitWord
        font.family: Display.family
        font.pixelSize: Metrics.body
        font.weight: Font.DemiBold
        text: Words.submit
    }
    TextMetrics {
        id: eraseWord
        font: submitWord.font
        text: Words.erase
    }
    GridLayout {
        columns: 3
        columnSpacing: Metrics.gap
        rowSpacing: Metrics.gap
        Layout.alignment: Qt.AlignHCenter

        Repeater {
            model: 9

            KeypadKey {
                required property int index
                quiet: keypad.quiet
                text: String(index + 1)
                marked: index === 4
                Layout.preferredWidth: keypad.keyWidth
                Layout.preferredHeight: keypad.keyHeight
                onClicked: keypad.digit(index + 1)
            }
        }
        KeypadKey {
            quiet: keypad.quiet
            text: Words.erase
            iconName: keypad.roomy ? "" : "erase"
            word: true
            Layout.preferredWidth: keypad.keyWidth
            Layout.preferredHeight: keypad.keyHeight
            onClicked: keypad.erase()
        }
        KeypadKey {
            quiet: keypad.quiet
            text: "0"
            Layout.preferredWidth: keypad.keyWidth
            Layout.preferredHeight: keypad.keyHeight
            onClicked: keypad.digit(0)
        }
        KButton {
            visible: keypad.roomy
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
        visible: !keypad.roomy
        kind: "main"
        enabled: keypad.ready
        text: Words.submit
        Accessible.name: enabled ? Words.submit : Words.submitLater
        Layout.alignment: Qt.AlignHCenter
        Layout.preferredWidth: 3 * keypad.keyWidth + 2 * Metrics.gap
        onClicked: keypad.submit()
    }
}
