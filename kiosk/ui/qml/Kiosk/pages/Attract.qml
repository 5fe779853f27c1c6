import QtQuick
import QtQuick.Layouts
import Kiosk
import Kiosk.View

// Nobody is there: what to do, and what works today, before a card is put in.
Page {
    hero: true
    spacing: Metrics.mm(Metrics.landscape ? 4 : 6)

    Notice {
        Layout.fillWidth: true
        text: View.notice
        tone: View.noticeTone
    }
    Split {
        rowSpacing: Metrics.mm(6)

        Picture {
            Layout.fillWidth: true
            Layout.fillHeight: true
            Layout.minimumHeight: Metrics.mm(40)
            Layout.preferredWidth: Metrics.mm(80)
        }
        ColumnLayout {
            spacing: Metrics.mm(Metrics.landscape ? 3 : 5)
            Layout.fillWidth: true
            Layout.preferredWidth: Metrics.mm(190)

            RowList {
                Layout.fillWidth: true
                compact: true
                title: View.rowsTitle
            }
            RowLayout {
                spacing: Metrics.gap

                KIcon {
                    name: "shield"
                    color: Theme.accent
                }
                KText {
                    Layout.fillWidth: true
                    text: View.text
                }
            }
        }
    }
}
