import QtQuick
import QtQuick.Layouts
import Kiosk
import Kiosk.View

// One question, answered on the keypad; what is typed stays masked and counted.
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
            DigitBoxes {
                Layout.fillWidth: true
                Layout.topMargin: Metrics.mm(3)
            }
            KText {
                Layout.fillWidth: true
                text: View.boxesText
                color: Theme.muted
                horizontalAlignment: Text.AlignHCenter
            }
            Filler {}
        }
        Keypad {
            Layout.alignment: Qt.AlignHCenter | (Metrics.landscape ? Qt.AlignVCenter : Qt.AlignBottom)
            Layout.preferredWidth: implicitWidth
            ready: View.canSubmit
            onDigit: digit => Hand.digit(digit)
            onErase: Hand.erase()
            onSubmit: Hand.submit()
        }
    }
}
