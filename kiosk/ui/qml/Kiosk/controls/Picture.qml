import QtQuick
import Kiosk
import Kiosk.View

// The illustration of a page. Decorative: the words beside it say the same.
Item {
    id: picture
    property string name: View.picture

    readonly property var slots: ({
            "card_insert": "insert",
            "card_remove": "remove",
            "card_stay": "stay",
            "card_turn": "turn",
            "card_wipe": "wipe",
            "card_other": "other"
        })
    readonly property var icons: ({
            "call": "phone",
            "clock": "clock",
            "network": "network",
            "update": "update",
            "question": "help",
            "ticket": "ticket",
            "kiosk": "warning",
            "wait": "clock",
            "done": "check",
            "lock": "lock"
        })
    readonly property bool card: name === "card_vitale1" || name === "number_front"

    visible: name !== ""
    implicitHeight: Metrics.mm(70)
    implicitWidth: Metrics.mm(90)
    Accessible.ignored: true

    SlotPicture {
        anchors.fill: parent
        visible: picture.name in picture.slots
        mode: picture.slots[picture.name] ?? ""
    }
    CardPicture {
        anchors.fill: parent
        anchors.margins: Metrics.gap
        visible: picture.card
        kind: picture.name === "card_vitale1" ? "vitale1" : "vitale2"
        highlight: true
    }
    Rectangle {
        readonly property string symbol: picture.icons[picture.name] ?? ""
        visible: symbol !== ""
        anchors.centerIn: parent
        width: Math.min(parent.width, parent.height, Metrics.mm(70))
        height: width
        radius: width / 2
        color: picture.name === "done" ? Theme.okSoft : Theme.primarySoft
        border.width: Metrics.line
        border.color: picture.name === "done" ? Theme.ok : Theme.primary

        KIcon {
            anchors.centerIn: parent
            width: parent.width * 0.54
            height: width
            weight: 1.6
            name: parent.symbol
            color: picture.name === "done" ? Theme.ok : Theme.primary
        }
    }
}
