import QtQuick
import Kiosk

// One sentence that must be seen: icon, words, and a ground that only repeats them.
Rectangle {
    id: notice
    property string text: ""
    property string tone: "info"
    property int fontSize: Metrics.body

    visible: text !== ""
    implicitHeight: Math.max(label.implicitHeight, pictogram.height) + 2 * Metrics.mm(4)
    implicitWidth: label.implicitWidth + 4 * Metrics.gapWide
    radius: Metrics.radius
    color: Theme.toneSoft(tone)
    border.width: Metrics.line
    border.color: Theme.tone(tone)

    KIcon {
        id: pictogram
        name: notice.tone === "ok" ? "check" : notice.tone === "warn" || notice.tone === "error" ? "warning" : "info"
        color: Theme.tone(notice.tone)
        anchors.left: parent.left
        anchors.leftMargin: Metrics.mm(5)
        anchors.verticalCenter: parent.verticalCenter
    }
    KText {
        id: label
        text: notice.text
        font.weight: Font.DemiBold
        font.pixelSize: notice.fontSize
        lineHeight: 1.1
        anchors.left: pictogram.right
        anchors.right: parent.right
        anchors.leftMargin: Metrics.mm(4)
        anchors.rightMargin: Metrics.mm(5)
        anchors.verticalCenter: parent.verticalCenter
    }
}
