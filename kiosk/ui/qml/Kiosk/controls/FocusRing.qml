import QtQuick
import Kiosk

// Double ring around its parent: halo inside, ring outside, never colour alone.
Item {
    id: ring
    property int radius: Metrics.radius

    anchors.fill: parent
    Accessible.ignored: true

    Rectangle {
        anchors.fill: parent
        anchors.margins: -Metrics.focusHalo
        color: "transparent"
        radius: ring.radius + Metrics.focusHalo
        border.width: Metrics.focusHalo
        border.color: Theme.focusHalo
    }
    Rectangle {
        anchors.fill: parent
        anchors.margins: -Metrics.focusHalo - Metrics.focusWidth
        color: "transparent"
        radius: ring.radius + Metrics.focusHalo + Metrics.focusWidth
        border.width: Metrics.focusWidth
        border.color: Theme.focus
    }
}
