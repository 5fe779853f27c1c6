import QtQuick
import QtQuick.Controls.Basic
import Kiosk
import Simulators.Panel

// A button; `spoken` is its accessible name where two buttons would have the same.
Button {
    id: control
    property string spoken: text
    property bool main: false

    implicitHeight: 36
    implicitWidth: label.implicitWidth + 32
    hoverEnabled: true
    Accessible.name: spoken

    background: Rectangle {
        radius: 7
        color: !control.enabled ? Theme.bg : control.main ? (control.down ? Theme.primaryPressed : Theme.primary) : control.down || control.hovered ? Theme.primarySoft : Theme.surface
        border.width: control.main && control.enabled ? 0 : 1
        border.color: control.enabled ? Theme.primary : Theme.hairline

        Rectangle {
            visible: control.visualFocus
            anchors.fill: parent
            anchors.margins: -3
            radius: 9
            color: "transparent"
            border.width: 2
            border.color: Theme.focus
        }
    }
    contentItem: Text {
        id: label
        text: control.text
        color: !control.enabled ? Theme.line : control.main ? Theme.inkOnPrimary : Theme.primary
        font.family: Bench.family
        font.pixelSize: 14
        font.weight: Font.DemiBold
        horizontalAlignment: Text.AlignHCenter
        verticalAlignment: Text.AlignVCenter
        elide: Text.ElideRight
        Accessible.ignored: true
    }
}
