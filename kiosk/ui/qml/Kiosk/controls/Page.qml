import QtQuick
import Kiosk

// The fixed frame: step and heading above, buttons below, the page's own content between.
Item {
    id: page
    default property alias content: scroller.content
    property alias spacing: scroller.spacing
    property bool hero: false

    Rectangle {
        anchors.fill: parent
        color: Theme.bg
    }
    StepHeader {
        id: header
        hero: page.hero
        width: parent.width
    }
    Scroller {
        id: scroller
        spacing: Metrics.mm(Metrics.narrow ? 5 : 8)
        anchors.top: header.bottom
        anchors.bottom: footer.top
        anchors.left: parent.left
        anchors.right: parent.right
        anchors.topMargin: Metrics.mm(Metrics.narrow ? 5 : 9)
        anchors.bottomMargin: Metrics.mm(Metrics.narrow ? 4 : 7)
        anchors.leftMargin: Metrics.margin
        anchors.rightMargin: Metrics.margin
    }
    Footer {
        id: footer
        anchors.bottom: parent.bottom
        width: parent.width
    }
}
