import QtQuick
import QtQuick.Controls.Basic
import Kiosk
import Kiosk.View

// One key, 20 mm at least. The 5 carries a mark to find by eye and, on a tactile overlay, by finger.
Button {
    id: key
    property bool marked: false
    property bool word: false
    property bool quiet: false  // nothing shows that it is pressed: somebody may look on
    property string iconName: ""

    implicitWidth: Metrics.target
    implicitHeight: Metrics.target
    focusPolicy: Qt.StrongFocus
    autoRepeat: false
    Accessible.name: text
    Keys.onReturnPressed: click()
    Keys.onEnterPressed: click()

    background: Rectangle {
        radius: Metrics.radius
        color: key.down && !key.quiet ? Theme.primarySoft : Theme.surface
        border.width: Metrics.line
        border.color: Theme.line

        Rectangle {
            visible: key.marked
            anchors.horizontalCenter: parent.horizontalCenter
            anchors.bottom: parent.bottom
            anchors.bottomMargin: Metrics.mm(2)
            width: Metrics.mm(6)
            height: Metrics.line
            color: Theme.ink
        }
        FocusRing {
            visible: key.visualFocus
        }
    }
    contentItem: Item {
        Text {
            visible: key.iconName === ""
            anchors.centerIn: parent
            text: key.text
            color: Theme.ink
            font.family: Display.family
            font.pixelSize: key.word ? Metrics.body : Math.min(Metrics.cap(9), key.height * 0.6)
            font.weight: Font.DemiBold
            font.features: ({
                    "tnum": 1
                })
            Accessible.ignored: true
        }
        KIcon {
            visible: key.iconName !== ""
            anchors.centerIn: parent
            width: Metrics.mm(11)
            height: width
            name: key.iconName
            color: Theme.ink
        }
    }
}
