import QtQuick
import QtQuick.Layouts
import Kiosk
import Kiosk.View

// Step in words, then the heading of the page.
Rectangle {
    id: header
    property bool hero: false // the first page: heading and lead on the main colour

    implicitHeight: column.implicitHeight + 2 * Metrics.mm(Metrics.landscape ? 3.5 : hero && !Metrics.narrow ? 14 : Metrics.narrow ? 5.5 : 8)
    color: hero ? Theme.primary : Theme.surface

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
            color: header.hero ? Theme.inkOnPrimary : Theme.primary
            font.pixelSize: header.hero ? Metrics.hero : Metrics.title
            font.weight: Font.Bold
            lineHeight: 1.1
        }
        RowLayout {
            visible: header.hero
            spacing: Metrics.gapWide

            KText {
                Layout.fillWidth: true
                text: header.hero ? View.lead : ""
                color: Theme.inkOnPrimary
                font.pixelSize: Metrics.lead
            }
            KText {
                text: header.hero ? View.footnote : ""
                color: Theme.inkOnPrimary
            }
        }
    }
    Rectangle {
        anchors.bottom: parent.bottom
        width: parent.width
        height: Metrics.line
        color: Theme.hairline
    }
}
