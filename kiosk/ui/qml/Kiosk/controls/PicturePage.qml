import QtQuick
import QtQuick.Layouts
import Kiosk
import Kiosk.View

// One sentence, one still picture, what must not be missed; perhaps a short list.
Page {
    Lead {}
    Split {
        Picture {
            Layout.fillWidth: true
            Layout.fillHeight: true
            Layout.minimumHeight: Metrics.mm(36)
            Layout.preferredHeight: width * 0.77
            Layout.maximumHeight: width * 0.77
            Layout.preferredWidth: Metrics.mm(120)
        }
        ColumnLayout {
            spacing: Metrics.gapWide
            Layout.fillWidth: true
            Layout.alignment: Qt.AlignVCenter
            Layout.preferredWidth: Metrics.mm(120)
            visible: View.notice !== "" || View.hasRows || View.text !== "" || View.footnote !== ""

            Notice {
                Layout.fillWidth: true
                text: View.notice
                tone: View.noticeTone
                fontSize: Metrics.lead
            }
            RowList {
                visible: View.hasRows
                Layout.fillWidth: true
            }
            KText {
                Layout.fillWidth: true
                visible: text !== ""
                text: View.text
            }
            KText {
                Layout.fillWidth: true
                visible: text !== ""
                text: View.footnote
                color: Theme.muted
            }
        }
    }
    Filler {
        visible: !Metrics.landscape
    }
}
