import QtQuick
import QtQuick.Layouts
import Kiosk
import Kiosk.View

// Somebody without a card.
Page {
    Lead {}
    ActionList {
        Layout.fillWidth: true
    }
    RowLayout {
        spacing: Metrics.gap

        KIcon {
            name: "card"
            color: Theme.accent
        }
        KText {
            Layout.fillWidth: true
            text: View.text
        }
    }
    Filler {}
}
