import QtQuick
import QtQuick.Layouts
import Kiosk
import Kiosk.View

// Is somebody still there? A bar shows the time that is left; the words do not depend on it.
Page {
    Lead {}
    Picture {
        Layout.fillWidth: true
        Layout.fillHeight: true
        Layout.minimumHeight: Metrics.mm(34)
    }
    Rectangle {
        Layout.fillWidth: true
        Layout.preferredHeight: Metrics.mm(5)
        radius: height / 2
        color: Theme.surface
        border.width: Metrics.hair
        border.color: Theme.line
        Accessible.ignored: true

        Rectangle {
            id: bar
            height: parent.height
            width: parent.width
            radius: height / 2
            color: Theme.primary

            NumberAnimation {
                target: bar
                property: "width"
                running: !Display.still && View.countdownS > 0
                to: 0
                duration: View.countdownS * 1000
            }
        }
    }
}
