import QtQuick
import Kiosk
import Kiosk.View

// A pictogram in the colour of a role. Decorative: words always say the same.
Pictogram {
    color: Theme.primary
    implicitWidth: Metrics.icon
    implicitHeight: Metrics.icon
    visible: name !== ""
    Accessible.ignored: true
}
