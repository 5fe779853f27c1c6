pragma ComponentBehavior: Bound
import QtQuick
import Kiosk

// A card, drawn from facts only: where chip, photo and printed number are. No text, no one's brand.
// kind: vitale2 (front, photo), vitale1 (back: number top left), other. Proportions of ID-1, 85.6 × 54.
Item {
    id: card
    property string kind: "vitale2"
    property bool highlight: false // show where the number is printed

    readonly property real u: Math.min(width / 85.6, height / 54)
    readonly property bool old: kind === "vitale1"
    readonly property color face: kind === "vitale2" ? Theme.cardFace : old ? Theme.cardOld : Theme.cardOther
    readonly property color deep: kind === "vitale2" ? Theme.cardFaceDeep : old ? Theme.cardOldDeep : Theme.cardOtherDeep

    Accessible.ignored: true

    Rectangle {
        id: face
        width: 85.6 * card.u
        height: 54 * card.u
        anchors.centerIn: parent
        radius: 3.5 * card.u
        color: card.face
        border.width: Math.max(1, 0.5 * card.u)
        border.color: Theme.cardEdge

        // a quiet band
        Rectangle {
            x: 0.5 * card.u
            y: 40 * card.u
            width: parent.width - card.u
            height: 8 * card.u
            color: card.deep
        }
        // printed lines: name, date
        Repeater {
            model: card.old ? [] : [34, 24]

            Rectangle {
                required property int index
                required property int modelData
                x: 8 * card.u
                y: (30.5 + index * 4.5) * card.u
                width: modelData * card.u
                height: 2 * card.u
                radius: height / 2
                color: Theme.cardEdge
            }
        }
        // chip: front only
        Rectangle {
            visible: !card.old
            x: 8 * card.u
            y: 14 * card.u
            width: 13 * card.u
            height: 11.5 * card.u
            radius: 1.6 * card.u
            color: Theme.chip
            border.width: Math.max(1, 0.4 * card.u)
            border.color: Theme.chipLine

            Rectangle {
                anchors.horizontalCenter: parent.horizontalCenter
                width: Math.max(1, 0.4 * card.u)
                height: parent.height
                color: Theme.chipLine
            }
            Repeater {
                model: [1 / 3, 2 / 3]

                Rectangle {
                    required property real modelData
                    y: parent.height * modelData
                    width: parent.width
                    height: Math.max(1, 0.4 * card.u)
                    color: Theme.chipLine
                }
            }
        }
        // photo: Vitale 2 only
        Rectangle {
            visible: card.kind === "vitale2"
            x: 62 * card.u
            y: 14 * card.u
            width: 18 * card.u
            height: 23 * card.u
            radius: 1.2 * card.u
            color: Theme.photo
            border.width: Math.max(1, 0.4 * card.u)
            border.color: Theme.cardEdge
            clip: true

            Rectangle {
                anchors.horizontalCenter: parent.horizontalCenter
                y: 4.5 * card.u
                width: 7.5 * card.u
                height: width
                radius: width / 2
                color: Theme.person
            }
            Rectangle {
                anchors.horizontalCenter: parent.horizontalCenter
                y: 13.5 * card.u
                width: 14 * card.u
                height: 14 * card.u
                radius: width / 2
                color: Theme.person
            }
        }
        // back of a Vitale 1: nothing but its number, top left, and a strip
        Rectangle {
            visible: card.old
            x: 8 * card.u
            y: 22 * card.u
            width: 62 * card.u
            height: 2 * card.u
            radius: height / 2
            color: Theme.cardEdge
        }
        // the printed number, as small strokes: front top right (21 digits), back top left (8 to 13)
        Row {
            id: number
            visible: card.kind !== "other"
            x: (card.old ? 8 : 43) * card.u
            y: 6.2 * card.u
            spacing: 0.62 * card.u

            Repeater {
                model: card.old ? 13 : 21

                Rectangle {
                    required property int index
                    width: 1.15 * card.u
                    height: 3 * card.u
                    radius: 0.3 * card.u
                    color: card.highlight ? Theme.primary : Theme.cardEdge
                }
            }
        }
        // where to look
        Rectangle {
            visible: card.highlight
            x: (card.old ? 5.5 : 59) * card.u
            y: 3.7 * card.u
            width: (card.old ? 28 : 23) * card.u
            height: 8 * card.u
            radius: 1.6 * card.u
            color: "transparent"
            border.width: 1.1 * card.u
            border.color: Theme.focus
        }
    }
}
