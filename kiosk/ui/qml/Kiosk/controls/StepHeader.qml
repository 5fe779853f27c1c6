import QtQuick
import QtQuick.Layouts
import Kiosk
import Kiosk.View

// Step in words, then the heading of the page.
Rectangle {
    id: header
    implicitHeight: column.implicitHeight + 2 * Metrics.mm(Metrics.landscape ? 5 : 8)
    color: Theme.surface

    ColumnLayout {
        id: column
        anchors.left: parent.left
        anchors.right: parent.right
        anchors.verticalCenter: parent.verticalCenter
        anchors.leftMargin: Metrics.margin
        anchors.rightMargin: Metrics.margin
        spacing: Metrics.mm(1.5)

        KText {
            Layout.fillWidth: true
            text: View.step
            visible: text !== ""
            color: Theme.accent
            font.weight: Font.DemiBold
        }
        KText {
            Layout.fillWidth: true
            objectName: "heading"
            heading: true
            text: View.heading
            color: Theme.primary
            font.pixelSize: Metrics.title
            font.weight: Font.Bold
            lineHeight: 1.1
        }
    }
    Rectangle {
        anchors.bottom: parent.bottom
        width: parent.width
        height: Metrics.line
        color: Theme.hairline
    }
}
