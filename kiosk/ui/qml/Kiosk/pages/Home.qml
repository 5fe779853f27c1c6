import QtQuick
import QtQuick.Layouts
import Kiosk
import Kiosk.View

// What can be done with this card.
Page {
    Split {
        Layout.fillHeight: Metrics.landscape

        ColumnLayout {
            spacing: Metrics.mm(5)
            Layout.fillWidth: true
            Layout.alignment: Qt.AlignTop
            Layout.preferredWidth: Metrics.mm(92)

            RowLayout {
                spacing: Metrics.mm(6)

                CardPicture {
                    visible: !Metrics.landscape
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
                text: View.notice
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
