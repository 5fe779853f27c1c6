import QtQuick.Layouts
import Kiosk
import Kiosk.View

// The kiosk's condition, for a technician.
Page {
    Lead {}
    PartList {
        visible: View.hasRows
        Layout.fillWidth: true
    }
    Filler {}
}
