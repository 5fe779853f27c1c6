pragma ComponentBehavior: Bound
import QtQuick
import QtQuick.Controls.Basic
import Kiosk
import Simulators.Panel

// Three columns: the cards and the hand; slots, network and paper; the last ticket. Everything fits a screen of 768 lines.
ApplicationWindow {
    id: panel

    readonly property bool chosenFree: Bench.chosen !== Bench.patient && Bench.chosen !== Bench.professional
    readonly property bool chosenTurned: Bench.turned.includes(Bench.chosen)
    readonly property int gap: 12

    width: 920
    height: 680
    minimumWidth: 860
    minimumHeight: 640
    visible: true
    title: "Simulateur de la borne"
    color: Theme.bg

    Item {
        id: board
        anchors.fill: parent
        anchors.margins: panel.gap

        Row {
            id: banner
            spacing: 12
            height: 34

            Words {
                heading: true
                text: "Simulateur"
                color: Theme.primary
                font.pixelSize: 22
                anchors.verticalCenter: parent.verticalCenter
            }
            Words {
                text: "Cartes, personnes, centre et imprimante sont fictifs."
                color: Theme.muted
                anchors.verticalCenter: parent.verticalCenter
            }
        }

        // --- cards and hand
        Sheet {
            id: cards
            anchors.top: banner.bottom
            anchors.topMargin: 6
            anchors.bottom: hand.top
            anchors.bottomMargin: panel.gap
            width: 330
            title: "Cartes"

            ListView {
                id: list
                anchors.fill: parent
                anchors.leftMargin: -6
                anchors.rightMargin: -6
                clip: true
                boundsBehavior: Flickable.StopAtBounds
                model: Bench.deck
                ScrollBar.vertical: ScrollBar {}
                delegate: DeckCard {
                    width: list.width
                    height: Math.max(28, list.height / list.count)
                }
            }
        }
        Sheet {
            id: hand
            bodyHeight: 80
            anchors.bottom: parent.bottom
            width: 330
            title: "Carte en main"
            condition: !panel.chosenFree ? "dans la borne" : panel.chosenTurned ? "à l’envers" : "à l’endroit"
            conditionColor: !panel.chosenFree ? Theme.muted : panel.chosenTurned ? Theme.warn : Theme.ok

            CardPicture {
                id: inHand
                width: 112
                height: 71
                y: 4
                kind: Bench.kindOf(Bench.chosen)
                rotation: panel.chosenTurned ? 180 : 0
                opacity: panel.chosenFree ? 1 : 0.35
            }
            Words {
                anchors.left: inHand.right
                anchors.leftMargin: 14
                anchors.right: parent.right
                height: 38
                text: Bench.titleOf(Bench.chosen)
                maximumLineCount: 2
                elide: Text.ElideRight
            }
            Push {
                anchors.left: inHand.right
                anchors.leftMargin: 14
                anchors.right: parent.right
                y: 80 - height
                enabled: panel.chosenFree
                text: "Retourner"
                spoken: "Retourner la carte"
                onClicked: Bench.turn()
            }
        }

        // --- slots, network, paper
        Column {
            id: middle
            anchors.left: cards.right
            anchors.leftMargin: panel.gap
            anchors.top: cards.top
            anchors.bottom: parent.bottom
            width: 276
            spacing: panel.gap

            readonly property real slotHeight: (height - network.height - paper.height - 3 * spacing) / 2

            SlotSheet {
                width: parent.width
                height: middle.slotHeight
                role: "patient"
                ofWhom: "de l’assuré"
                held: Bench.patient
            }
            SlotSheet {
                width: parent.width
                height: middle.slotHeight
                role: "professional"
                ofWhom: "du professionnel"
                held: Bench.professional
            }
            SupplySheet {
                id: network
                width: parent.width
                title: "Réseau"
                condition: busy ? "un instant…" : there ? "le centre répond" : "coupé"
                there: Bench.network
                busy: Bench.networkBusy
                takeText: "Couper le réseau"
                giveText: "Rétablir le réseau"
                onWanted: there => Bench.setNetwork(there)
            }
            SupplySheet {
                id: paper
                width: parent.width
                title: "Papier"
                condition: there ? "rouleau en place" : "absent"
                there: Bench.paper
                busy: Bench.paperBusy
                takeText: "Retirer le papier"
                giveText: "Remettre du papier"
                onWanted: there => Bench.setPaper(there)
            }
        }

        // --- the ticket
        Sheet {
            anchors.left: middle.right
            anchors.leftMargin: panel.gap
            anchors.right: parent.right
            anchors.top: cards.top
            anchors.bottom: parent.bottom
            title: "Dernier ticket"
            condition: Bench.tickets === 0 ? "" : "imprimé, n° " + Bench.tickets
            conditionColor: Theme.ok

            Words {
                visible: Bench.tickets === 0
                anchors.centerIn: parent
                width: parent.width - 20
                horizontalAlignment: Text.AlignHCenter
                text: "Le ticket imprimé apparaît ici."
                color: Theme.muted
            }
            Rectangle {
                visible: Bench.tickets > 0
                anchors.fill: parent
                radius: 6
                color: Theme.sky
                clip: true

                Flickable {
                    anchors.fill: parent
                    contentHeight: sheetOfPaper.height + 24
                    boundsBehavior: Flickable.StopAtBounds
                    ScrollBar.vertical: ScrollBar {}

                    Rectangle {
                        id: sheetOfPaper
                        x: 10
                        y: 12
                        width: parent.width - 20
                        height: picture.height + 16
                        color: "white"

                        Image {
                            id: picture
                            x: 8
                            y: 8
                            width: parent.width - 16
                            height: implicitWidth > 0 ? implicitHeight * width / implicitWidth : 0
                            source: Bench.ticket
                            cache: false
                            sourceSize.width: width // scaled when it is read: the renderer's own scaling is coarse
                            Accessible.role: Accessible.Graphic
                            Accessible.name: "Ticket imprimé n° " + Bench.tickets
                        }
                    }
                }
            }
        }

        // --- what could not be done
        Rectangle {
            visible: Bench.problem !== ""
            anchors.bottom: parent.bottom
            width: parent.width
            height: 52
            radius: 10
            color: Theme.errorSoft
            border.width: 1
            border.color: Theme.error

            Words {
                anchors.left: parent.left
                anchors.leftMargin: 14
                anchors.right: read.left
                anchors.rightMargin: 14
                anchors.verticalCenter: parent.verticalCenter
                text: Bench.problem
                color: Theme.error
                maximumLineCount: 2
                elide: Text.ElideRight
            }
            Push {
                id: read
                anchors.right: parent.right
                anchors.rightMargin: 8
                anchors.verticalCenter: parent.verticalCenter
                text: "Lu"
                spoken: "Fermer le message"
                onClicked: Bench.forgetProblem()
            }
        }
    }
}
