import QtQuick
import Kiosk

// A white sheet with a heading; what is declared in it is stacked below.
Rectangle {
    id: sheet
    property string title
    property string condition: ""
    property color conditionColor: Theme.muted
    property int bodyHeight: 0 // where the sheet is as high as what is in it
    default property alias content: body.data

    implicitHeight: 54 + bodyHeight
    radius: 10
    color: Theme.surface
    border.width: 1
    border.color: Theme.hairline

    Item {
        id: head
        x: 14
        y: 12
        width: parent.width - 28
        height: 20

        Words {
            heading: true
            text: sheet.title
            anchors.verticalCenter: parent.verticalCenter
        }
        Row {
            visible: sheet.condition !== ""
            anchors.right: parent.right
            anchors.verticalCenter: parent.verticalCenter
            spacing: 6

            Rectangle {
                width: 9
                height: 9
                radius: 5
                color: sheet.conditionColor
                anchors.verticalCenter: parent.verticalCenter
            }
            Words {
                text: sheet.condition
                color: sheet.conditionColor
                font.pixelSize: 13
            }
        }
    }
    Item {
        id: body
        x: 14
        y: 42
        width: parent.width - 28
        height: parent.height - y - 12
    }
}
