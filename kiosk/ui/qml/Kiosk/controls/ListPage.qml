import QtQuick
import QtQuick.Layouts
import Kiosk
import Kiosk.View

// Lines to read, one idea a line.
Page {
    Lead {}
    RowList {
        visible: View.hasRows
        Layout.fillWidth: true
    }
    Notice {
        Layout.fillWidth: true
        text: View.notice
        tone: View.noticeTone
    }
    Filler {}
}
