import QtQuick
import QtQuick.Layouts
import Kiosk
import Kiosk.View

// Before and after, line by line.
Page {
    spacing: Metrics.mm(Metrics.narrow ? 4 : 6)

    Lead {}
    ChangeTable {
        Layout.fillWidth: true
    }
    MaskButton {}
    Notice {
        Layout.fillWidth: true
        text: View.notice
        tone: View.noticeTone
    }
    KText {
        Layout.fillWidth: true
        visible: text !== ""
        text: View.text
    }
    Filler {}
}
