import QtQuick
import QtQuick.Layouts
import Kiosk
import Kiosk.View

// The page's buttons, always at the same place, within reach: main, second, then help and stop.
Rectangle {
    id: footer
    readonly property bool empty: View.mainLabel === "" && View.secondLabel === "" && View.helpLabel === "" && View.stopLabel === ""

    implicitHeight: empty ? 0 : grid.implicitHeight + 2 * Metrics.mm(Metrics.landscape ? 4 : 6)
    visible: !empty
    color: Theme.surface

    Rectangle {
        width: parent.width
        height: Metrics.line
        color: Theme.hairline
    }
    GridLayout {
        id: grid
        anchors.left: parent.left
        anchors.right: parent.right
        anchors.verticalCenter: parent.verticalCenter
        anchors.leftMargin: Metrics.margin
        anchors.rightMargin: Metrics.margin
        columnSpacing: Metrics.gap
        rowSpacing: Metrics.mm(5)

        KButton {
            objectName: "main"
            visible: text !== ""
            kind: "main"
            text: View.mainLabel
            iconName: View.mainIcon
            Layout.row: 0
            Layout.column: Metrics.landscape ? 4 : 0
            Layout.columnSpan: Metrics.landscape ? 1 : 2
            Layout.fillWidth: true
            Layout.fillHeight: Metrics.landscape
            Layout.preferredWidth: Metrics.landscape ? Metrics.mm(100) : -1
            Layout.preferredHeight: Metrics.landscape ? implicitHeight : Math.max(implicitHeight, Metrics.mm(24))
            onClicked: Hand.choose(View.mainChoice)
        }
        KButton {
            objectName: "second"
            visible: text !== ""
            text: View.secondLabel
            iconName: Metrics.landscape ? "" : View.secondIcon
            Layout.row: Metrics.landscape ? 0 : 1
            Layout.column: Metrics.landscape ? 3 : 0
            Layout.columnSpan: Metrics.landscape ? 1 : 2
            Layout.fillWidth: true
            Layout.fillHeight: Metrics.landscape
            Layout.preferredWidth: Metrics.landscape ? Metrics.mm(86) : -1
            onClicked: Hand.choose(View.secondChoice)
        }
        KButton {
            objectName: "help"
            visible: text !== ""
            kind: "quiet"
            text: View.helpLabel
            iconName: Metrics.landscape ? "" : "help"
            Layout.row: Metrics.landscape ? 0 : 2
            Layout.column: 0
            Layout.columnSpan: !Metrics.landscape && View.stopLabel === "" ? 2 : 1
            Layout.fillWidth: !Metrics.landscape
            Layout.fillHeight: Metrics.landscape
            Layout.preferredWidth: Metrics.landscape ? implicitWidth : Metrics.mm(40)
            onClicked: Hand.choose(View.helpChoice)
        }
        KButton {
            objectName: "stop"
            visible: text !== ""
            kind: "quiet"
            text: View.stopLabel
            iconName: Metrics.landscape ? "" : "stop"
            Layout.row: Metrics.landscape ? 0 : 2
            Layout.column: !Metrics.landscape && View.helpLabel === "" ? 0 : 1
            Layout.columnSpan: !Metrics.landscape && View.helpLabel === "" ? 2 : 1
            Layout.fillWidth: !Metrics.landscape
            Layout.fillHeight: Metrics.landscape
            Layout.preferredWidth: Metrics.landscape ? implicitWidth : Metrics.mm(40)
            onClicked: Hand.choose(View.stopChoice)
        }
    }
}
