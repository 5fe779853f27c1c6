import QtQuick
import QtQuick.Layouts
import Kiosk
import Kiosk.View

// The page's buttons, always at the same place, within reach: main, second, then help and stop.
Rectangle {
    id: footer
    readonly property bool upright: !Metrics.landscape
    readonly property int lastRow: upright ? 2 : Metrics.sideBySide ? 0 : 1
    readonly property bool empty: View.mainLabel === "" && View.secondLabel === "" && View.helpLabel === "" && View.stopLabel === ""

    implicitHeight: empty ? 0 : grid.implicitHeight + 2 * Metrics.mm(Metrics.narrow ? 4 : 6)
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
        rowSpacing: Metrics.mm(Metrics.narrow ? 4 : 5)

        // upright: main, second, then help and stop; wide: all on one line; wide with large text: two lines of two
        KButton {
            objectName: "main"
            visible: text !== ""
            kind: "main"
            text: View.mainLabel
            iconName: View.mainIcon
            Layout.row: 0
            Layout.column: Metrics.sideBySide ? 4 : Metrics.landscape ? 1 : 0
            Layout.columnSpan: footer.upright ? 2 : 1
            Layout.fillWidth: true
            Layout.fillHeight: Metrics.landscape
            Layout.preferredWidth: Metrics.mm(100)
            Layout.preferredHeight: footer.upright && !Metrics.narrow ? Math.max(implicitHeight, Metrics.mm(24)) : implicitHeight
            onClicked: Hand.choose(View.mainChoice)
        }
        KButton {
            objectName: "second"
            visible: text !== ""
            text: View.secondLabel
            iconName: footer.upright ? View.secondIcon : ""
            Layout.row: footer.upright ? 1 : 0
            Layout.column: Metrics.sideBySide ? 3 : 0
            Layout.columnSpan: footer.upright ? 2 : 1
            Layout.fillWidth: true
            Layout.fillHeight: Metrics.landscape
            Layout.preferredWidth: Metrics.mm(Metrics.sideBySide ? 86 : 100)
            onClicked: Hand.choose(View.secondChoice)
        }
        KButton {
            objectName: "help"
            visible: text !== ""
            kind: "quiet"
            text: View.helpLabel
            iconName: footer.upright ? "help" : ""
            Layout.row: footer.lastRow
            Layout.column: 0
            Layout.columnSpan: footer.upright && View.stopLabel === "" ? 2 : 1
            Layout.fillWidth: !Metrics.sideBySide
            Layout.fillHeight: Metrics.landscape
            Layout.preferredWidth: Metrics.sideBySide ? implicitWidth : Metrics.mm(40)
            onClicked: Hand.choose(View.helpChoice)
        }
        KButton {
            objectName: "stop"
            visible: text !== ""
            kind: "quiet"
            text: View.stopLabel
            iconName: footer.upright ? "stop" : ""
            Layout.row: footer.lastRow
            Layout.column: footer.upright && View.helpLabel === "" ? 0 : 1
            Layout.columnSpan: footer.upright && View.helpLabel === "" ? 2 : 1
            Layout.fillWidth: !Metrics.sideBySide
            Layout.fillHeight: Metrics.landscape
            Layout.preferredWidth: Metrics.sideBySide ? implicitWidth : Metrics.mm(40)
            onClicked: Hand.choose(View.stopChoice)
        }
    }
}
