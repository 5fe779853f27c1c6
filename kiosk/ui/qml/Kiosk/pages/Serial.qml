import QtQuick
import QtQuick.Layouts
import Kiosk
import Kiosk.View

// The printed number, as the form asks for it.
Page {
    spacing: Metrics.mm(Metrics.narrow ? 4 : 6)

    SerialDisplay {
        Layout.fillWidth: true
    }
    Split {
        rowSpacing: Metrics.mm(Metrics.narrow ? 4 : 6)
        Layout.fillHeight: false

        MaskButton {}
        Notice {
            Layout.fillWidth: true
            text: View.notice
            tone: View.noticeTone
        }
    }
    Split {
        Layout.fillHeight: true

        Picture {
            Layout.fillWidth: true
            Layout.fillHeight: true
            Layout.minimumHeight: Metrics.mm(22)
            Layout.maximumHeight: Metrics.mm(90)
            Layout.preferredWidth: Metrics.mm(60)
        }
        KText {
            Layout.fillWidth: true
            Layout.preferredWidth: Metrics.mm(140)
            text: View.lead
        }
    }
}
