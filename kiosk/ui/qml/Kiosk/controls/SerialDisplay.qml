import QtQuick
import QtQuick.Layouts
import Kiosk
import Kiosk.View

// The printed number: its beginning, small; then the eleven digits that are asked for, boxed as 10 + 1 and named.
Rectangle {
    implicitHeight: column.implicitHeight + 2 * Metrics.mm(Metrics.narrow ? 4 : 6)
    radius: Metrics.radius
    color: Theme.primarySoft
    border.width: Metrics.line
    border.color: Theme.primary

    ColumnLayout {
        id: column
        anchors.left: parent.left
        anchors.right: parent.right
        anchors.verticalCenter: parent.verticalCenter
        anchors.leftMargin: Metrics.mm(4)
        anchors.rightMargin: Metrics.mm(4)
        spacing: Metrics.mm(Metrics.narrow ? 2 : 3.5)

        KText {
            Layout.fillWidth: true
            text: Words.serialPrefix + " " + View.boxesPrefix
            color: Theme.muted
        }
        KText {
            Layout.fillWidth: true
            text: View.boxesTitle
            color: Theme.primary
            font.weight: Font.Bold
        }
        DigitBoxes {
            Layout.fillWidth: true
        }
        KText {
            Layout.fillWidth: true
            visible: text !== ""
            text: View.boxesText
        }
    }
}
