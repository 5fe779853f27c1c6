import QtQuick
import QtQuick.Layouts
import Kiosk
import Kiosk.View

// The control that belongs to the content: hide or show digits, show masked lines.
KButton {
    visible: text !== ""
    kind: "quiet"
    text: View.inlineLabel
    iconName: View.inlineIcon
    Layout.alignment: Qt.AlignHCenter
    Layout.fillWidth: true
    Layout.minimumWidth: Metrics.landscape ? implicitWidth : 0
    Layout.maximumWidth: Math.max(implicitWidth, Metrics.mm(60))
    onClicked: Hand.choose(View.inlineChoice)
}
