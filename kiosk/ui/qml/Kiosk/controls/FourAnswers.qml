import QtQuick
import QtQuick.Layouts
import Kiosk
import Kiosk.View

// What happened is the heading; then: is my card safe, what can I do, whom do I call. The code is small and last.
ColumnLayout {
    spacing: Metrics.mm(5)

    RowList {
        Layout.fillWidth: true
    }
    KText {
        Layout.fillWidth: true
        visible: text !== ""
        text: View.footnote
        color: Theme.muted
    }
}
