import QtQuick
import QtQuick.Layouts
import Kiosk
import Kiosk.View

Page {
    KText {
        Layout.fillWidth: true
        visible: text !== ""
        text: View.lead
    }
    Notice {
        Layout.fillWidth: true
        text: View.notice
        tone: View.noticeTone
    }
    Split {
        Picture {
            Layout.fillWidth: true
            Layout.fillHeight: true
            Layout.minimumHeight: Metrics.mm(45)
            Layout.maximumHeight: Metrics.mm(150)
        }
        RowList {
            visible: View.hasRows
            Layout.fillWidth: true
        }
    }
    KText {
        Layout.fillWidth: true
        visible: text !== ""
        text: View.text
    }
    KText {
        Layout.fillWidth: true
        visible: text !== ""
        text: View.footnote
        color: Theme.muted
    }
}
