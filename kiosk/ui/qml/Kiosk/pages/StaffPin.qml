import QtQuick
import QtQuick.Layouts
import Kiosk
import Kiosk.View

// The code of a badge: no key shows that it was pressed, and only a count tells what is there.
Page {
    Split {
        ColumnLayout {
            spacing: Metrics.gap
            Layout.fillWidth: true
            Layout.alignment: Qt.AlignTop
            Layout.fillHeight: true
            Layout.preferredWidth: Metrics.mm(130)

            Lead {}
            KText {
                Layout.fillWidth: true
                visible: text !== ""
                text: View.text
                color: Theme.muted
            }
            Notice {
                Layout.fillWidth: true
                text: View.notice
                tone: View.noticeTone
            }
            KText {
                Layout.fillWidth: true
                text: View.boxesText
                font.weight: Font.DemiBold
                horizontalAlignment: Text.AlignHCenter
            }
            Filler {}
        }
        Keypad {
            Layout.alignment: Qt.AlignHCenter | (Metrics.landscape ? Qt.AlignVCenter : Qt.AlignBottom)
            Layout.preferredWidth: implicitWidth
            quiet: true
            enabled: View.keypad
            ready: View.canSubmit
            onDigit: digit => Hand.digit(digit)
            onErase: Hand.erase()
            onSubmit: Hand.submit()
        }
    }
}
