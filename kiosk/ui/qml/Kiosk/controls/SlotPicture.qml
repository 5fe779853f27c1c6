import QtQuick
import Kiosk

// The kiosk's slot and the card before it. mode: insert, remove, stay, turn, wipe, other. A still picture.
Item {
    id: slot
    property string mode: "insert"

    readonly property real u: Math.min(width / 220, height / 170)

    Accessible.ignored: true

    Item {
        width: 220 * slot.u
        height: 170 * slot.u
        anchors.centerIn: parent

        // ground
        Rectangle {
            anchors.centerIn: parent
            width: 210 * slot.u
            height: 164 * slot.u
            radius: 14 * slot.u
            color: Theme.sky
        }
        // the kiosk's front
        Rectangle {
            x: 36 * slot.u
            y: 12 * slot.u
            width: 148 * slot.u
            height: 46 * slot.u
            radius: 8 * slot.u
            color: Theme.shell
            border.width: Math.max(1, 0.8 * slot.u)
            border.color: Theme.shellDeep

            Rectangle {
                anchors.horizontalCenter: parent.horizontalCenter
                y: 10 * slot.u
                width: 26 * slot.u
                height: 3 * slot.u
                radius: height / 2
                color: Theme.shellLight
            }
            Rectangle {
                anchors.horizontalCenter: parent.horizontalCenter
                y: 27 * slot.u
                width: 78 * slot.u
                height: 7 * slot.u
                radius: 3.5 * slot.u
                color: Theme.shellDeep
            }
        }
        // the card, chip first; what is inside the slot is not seen
        Item {
            x: 0
            y: 43 * slot.u
            width: parent.width
            height: parent.height - y
            clip: true

            CardPicture {
                // centre of the upright card, below the slot's edge
                readonly property real centre: slot.mode === "stay" ? 12 : slot.mode === "remove" ? 23 : 69

                width: 94 * slot.u
                height: 59.3 * slot.u
                kind: slot.mode === "other" ? "other" : "vitale2"
                rotation: 90
                anchors.horizontalCenter: parent.horizontalCenter
                y: centre * slot.u - height / 2
            }
        }
        KIcon {
            visible: slot.mode === "insert" || slot.mode === "remove" || slot.mode === "other"
            x: 160 * slot.u
            y: 84 * slot.u
            width: 44 * slot.u
            height: width
            weight: 2.6
            rotation: slot.mode === "insert" ? -90 : 90
            name: "next"
            color: Theme.primary
        }
        Rectangle {
            visible: slot.mode === "stay" || slot.mode === "turn" || slot.mode === "wipe"
            x: 158 * slot.u
            y: 86 * slot.u
            width: 46 * slot.u
            height: width
            radius: width / 2
            color: Theme.surface
            border.width: Math.max(1, slot.u)
            border.color: Theme.primary

            KIcon {
                anchors.centerIn: parent
                width: 28 * slot.u
                height: width
                name: slot.mode === "stay" ? "lock" : slot.mode === "wipe" ? "wipe" : "update"
                color: Theme.primary
            }
        }
    }
}
