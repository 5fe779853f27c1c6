import QtQuick
import QtQuick.Layouts
import Kiosk
import Kiosk.View

// A failure. What happened is the heading; then: is my card safe, what can I do, whom do I call. The code is last.
Page {
    Lead {}
    Split {
        Picture {
            // On a wide screen, height is short: only a picture that shows what to do is worth it, and it stays on top,
            // where it is seen before the text is scrolled.
            readonly property bool instructive: name.startsWith("card_")

            visible: name !== "" && (!Metrics.landscape || !View.hasRows || instructive)
            Layout.fillWidth: true
            Layout.fillHeight: !Metrics.landscape
            Layout.alignment: Qt.AlignTop
            Layout.minimumHeight: Metrics.mm(!Metrics.narrow ? 34 : instructive ? 24 : 12)
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
