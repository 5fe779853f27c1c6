import QtQuick
import QtQuick.Controls.Basic
import Kiosk
import Kiosk.View

// A button whose accessible name is its text. `kind`: main (filled), second (outlined), quiet (frame).
Button {
    id: control
    property string kind: "second"
    property string iconName: ""

    readonly property bool filled: kind === "main" && enabled
    readonly property color ink: filled ? Theme.inkOnPrimary : enabled ? Theme.primary : Theme.muted

    implicitHeight: Math.max(kind === "quiet" ? Metrics.targetMin : Metrics.target, label.implicitHeight + Metrics.gap)
    implicitWidth: Math.max(implicitHeight, pictogramWidth + label.implicitWidth + 2 * Metrics.gapWide)
    readonly property int pictogramWidth: iconName === "" ? 0 : Metrics.icon + Metrics.gap
    padding: 0
    focusPolicy: Qt.StrongFocus
    autoRepeat: false
    Accessible.name: text
    Keys.onReturnPressed: click()
    Keys.onEnterPressed: click()

    background: Rectangle {
        radius: Metrics.radius
        color: control.filled ? (control.down ? Theme.primaryPressed : Theme.primary) : (control.down ? Theme.primarySoft : Theme.surface)
        border.width: control.filled ? 0 : Metrics.line
        border.color: control.kind === "quiet" || !control.enabled ? Theme.line : Theme.primary

        FocusRing {
            visible: control.visualFocus
        }
    }

    contentItem: Item {
        Row {
            anchors.centerIn: parent
            spacing: Metrics.gap

            KIcon {
                name: control.iconName
                color: control.ink
                anchors.verticalCenter: parent.verticalCenter
            }
            Text {
                id: label
                text: control.text
                width: Math.min(implicitWidth, control.width - control.pictogramWidth - 2 * Metrics.gap)
                anchors.verticalCenter: parent.verticalCenter
                color: control.ink
                font.family: Display.family
                font.pixelSize: Metrics.body
                font.weight: control.kind === "quiet" ? Font.Normal : Font.DemiBold
                font.features: ({
                        "tnum": 1
                    })
                wrapMode: Text.WordWrap
                horizontalAlignment: control.iconName === "" ? Text.AlignHCenter : Text.AlignLeft
                textFormat: Text.PlainText
                Accessible.ignored: true
            }
        }
    }
}
