import QtQuick
import QtQuick.Controls.Basic
import Kiosk
import Simulators.Panel

// One card of the deck: press to take it in the hand.
Button {
    id: row
    required property string name
    required property string title
    required property string kind

    readonly property bool chosen: Bench.chosen === name
    readonly property string place: Bench.patient === name ? "assuré" : Bench.professional === name ? "pro" : ""

    hoverEnabled: true
    Accessible.name: title
    Accessible.description: chosen ? "en main" : place
    onClicked: Bench.choose(name)

    background: Rectangle {
        radius: 7
        color: row.chosen ? Theme.primarySoft : row.hovered ? Theme.bg : Theme.surface
        border.width: row.chosen || row.visualFocus ? 2 : 0
        border.color: row.visualFocus ? Theme.focus : Theme.primary
    }
    contentItem: Item {
        CardPicture {
            id: picture
            x: 4
            width: 34
            height: 22
            kind: row.kind
            anchors.verticalCenter: parent.verticalCenter
        }
        Text {
            anchors.left: picture.right
            anchors.leftMargin: 10
            anchors.right: where.left
            anchors.rightMargin: 4
            anchors.verticalCenter: parent.verticalCenter
            text: row.title
            elide: Text.ElideRight
            color: Theme.ink
            font.family: Bench.family
            font.pixelSize: 14
            font.weight: row.chosen ? Font.DemiBold : Font.Normal
            Accessible.ignored: true
        }
        Text {
            id: where
            anchors.right: parent.right
            anchors.rightMargin: 6
            anchors.verticalCenter: parent.verticalCenter
            text: row.place
            color: Theme.accent
            font.family: Bench.family
            font.pixelSize: 12
            Accessible.ignored: true
        }
    }
}
