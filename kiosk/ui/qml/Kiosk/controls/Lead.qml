import QtQuick
import QtQuick.Layouts
import Kiosk
import Kiosk.View

// The one sentence of the page.
KText {
    Layout.fillWidth: true
    visible: text !== ""
    text: View.lead
    font.pixelSize: Metrics.lead
}
