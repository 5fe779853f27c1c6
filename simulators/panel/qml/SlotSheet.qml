import QtQuick
import Kiosk
import Simulators.Panel

// One slot of the kiosk: its mouth, the card that is in it, and the button that puts in or pulls out.
Sheet {
    id: slot
    required property string role
    required property string ofWhom // « de l'assuré »
    required property string held

    readonly property bool full: held !== ""
    readonly property bool turned: Bench.turned.includes(held)
    readonly property bool chosenFree: Bench.chosen !== Bench.patient && Bench.chosen !== Bench.professional

    title: "Fente " + ofWhom
    condition: !full ? "vide" : turned ? "à l’envers" : "insérée"
    conditionColor: !full ? Theme.muted : turned ? Theme.warn : Theme.ok

    Item {
        id: drawing
        width: 116
        height: parent.height
        clip: true

        Rectangle {
            anchors.fill: parent
            radius: 8
            color: Theme.sky
        }
        CardPicture {
            visible: slot.full
            width: 92
            height: 58
            kind: slot.full ? Bench.kindOf(slot.held) : "other"
            rotation: slot.turned ? -90 : 90
            anchors.horizontalCenter: parent.horizontalCenter
            y: 23 // a good third is inside
        }
        Rectangle {
            x: 12
            width: parent.width - 24
            height: 36
            color: Theme.shell
            bottomLeftRadius: 6
            bottomRightRadius: 6

            Rectangle {
                anchors.horizontalCenter: parent.horizontalCenter
                y: 10
                width: 18
                height: 3
                radius: 2
                color: slot.full ? Theme.shellLight : Theme.line
            }
            Rectangle {
                anchors.horizontalCenter: parent.horizontalCenter
                y: 26
                width: 70
                height: 5
                radius: 3
                color: Theme.shellDeep
            }
        }
    }
    Words {
        anchors.left: drawing.right
        anchors.leftMargin: 14
        anchors.right: parent.right
        height: 70
        text: slot.full ? Bench.titleOf(slot.held) : "Aucune carte"
        color: slot.full ? Theme.ink : Theme.muted
        maximumLineCount: 3
        elide: Text.ElideRight
    }
    Push {
        anchors.left: drawing.right
        anchors.leftMargin: 14
        anchors.right: parent.right
        y: drawing.height - height
        main: true
        enabled: slot.full || slot.chosenFree
        text: slot.full ? "Retirer" : "Insérer"
        spoken: (slot.full ? "Retirer la carte " : "Insérer la carte ") + slot.ofWhom
        onClicked: slot.full ? Bench.remove(slot.role) : Bench.insert(slot.role)
    }
}
