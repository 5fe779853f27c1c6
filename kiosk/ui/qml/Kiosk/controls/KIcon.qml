import QtQuick
import Kiosk

// A pictogram in the colour of a role. Decorative: words always say the same.
Item {
    id: icon
    property string name: ""
    property color color: Theme.primary
    property real weight: 2

    readonly property int side: Math.ceil(Math.min(width, height))

    implicitWidth: Metrics.icon
    implicitHeight: Metrics.icon
    visible: name !== ""
    Accessible.ignored: true

    Image {
        anchors.centerIn: parent
        width: icon.side
        height: icon.side
        sourceSize.width: icon.side
        sourceSize.height: icon.side
        source: icon.name === "" || icon.side === 0 ? "" : "image://pictogram/" + icon.name + "/" + icon.weight + "/" + String(icon.color).slice(1)
        Accessible.ignored: true
    }
}
