import QtQuick
import QtQuick.Layouts
import Kiosk
import Kiosk.View

// What can be done with this card.
Page {
    Notice {
        Layout.fillWidth: true
        text: Metrics.sideBySide ? View.notice : ""
        tone: View.noticeTone
    }
    Split {
        columns: Metrics.sideBySide ? 2 : 1
        Layout.fillHeight: Metrics.landscape

        ColumnLayout {
            spacing: Metrics.gap
            Layout.fillWidth: true
            Layout.alignment: Qt.AlignTop
            Layout.preferredWidth: Metrics.mm(92)

            RowLayout {
                spacing: Metrics.mm(6)

                CardPicture {
                    visible: !Metrics.narrow
                    Layout.preferredWidth: Metrics.mm(38)
                    Layout.preferredHeight: Metrics.mm(24)
                }
                Lead {
                    font.weight: Font.DemiBold
                }
            }
            KText {
                Layout.fillWidth: true
                visible: text !== ""
                text: View.text
            }
            Notice {
                Layout.fillWidth: true
                text: Metrics.sideBySide ? "" : View.notice
                tone: View.noticeTone
            }
        }
        ActionList {
            Layout.fillWidth: true
            Layout.alignment: Qt.AlignTop
            Layout.preferredWidth: Metrics.mm(182)
            title: Metrics.narrow ? "" : View.rowsTitle
        }
    }
    Filler {}
}
