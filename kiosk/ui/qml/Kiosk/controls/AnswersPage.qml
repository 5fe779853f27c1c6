import QtQuick
import QtQuick.Layouts
import Kiosk
import Kiosk.View

// A failure. What happened is the heading; then: is my card safe, what can I do, whom do I call. The code is last.
Page {
    Lead {}
    Split {
        Picture {
            // On a wide screen, height is short: only a picture that shows what to do is worth it.
            visible: name !== "" && (!Metrics.landscape || !View.hasRows || name.startsWith("card_"))
            Layout.fillWidth: true
            Layout.fillHeight: true
            Layout.minimumHeight: Metrics.mm(Metrics.narrow ? 24 : 34)
            Layout.preferredHeight: Metrics.mm(70)
            Layout.maximumHeight: Metrics.mm(Metrics.landscape ? 120 : 95)
            Layout.preferredWidth: Metrics.mm(50)
        }
        ColumnLayout {
            spacing: Metrics.gap
            Layout.fillWidth: true
            Layout.preferredWidth: Metrics.mm(150)

            RowList {
                visible: View.hasRows
                Layout.fillWidth: true
            }
            Notice {
                Layout.fillWidth: true
                text: View.notice
                tone: View.noticeTone
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
