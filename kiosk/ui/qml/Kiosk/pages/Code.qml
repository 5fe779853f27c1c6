import QtQuick
import QtQuick.Layouts
import Kiosk
import Kiosk.View

// The four digits, as large as they can be.
Page {
    Lead {}
    Filler {}
    DigitBoxes {
        Layout.fillWidth: true
        boxHeight: Metrics.mm(Metrics.landscape ? 32 : 44)
        maxBoxWidth: Metrics.mm(Metrics.landscape ? 28 : 36)
        fontSize: Metrics.code
        between: Metrics.gap
    }
    KText {
        Layout.fillWidth: true
        visible: text !== ""
        text: View.boxesText
        horizontalAlignment: Text.AlignHCenter
    }
    MaskButton {}
    Filler {}
    Notice {
        Layout.fillWidth: true
        text: View.notice
        tone: View.noticeTone
    }
}
