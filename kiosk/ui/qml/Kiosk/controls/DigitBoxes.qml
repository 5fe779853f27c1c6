pragma ComponentBehavior: Bound
import QtQuick
import Kiosk
import Kiosk.View

// One box a digit. The whole is one accessible element whose name is exactly what is drawn.
Item {
    id: boxes
    property int boxHeight: Metrics.mm(Metrics.narrow ? 18 : 22)
    property int fontSize: Metrics.cap(12)
    property int maxBoxWidth: Metrics.mm(18)
    readonly property int count: repeater.count
    readonly property int gaps: View.gaps

    property int between: Metrics.mm(1.5)
    readonly property int gapWidth: Metrics.mm(5)
    readonly property int boxWidth: Math.max(1, Math.min(maxBoxWidth, Math.floor((width - (count - 1) * between - gaps * gapWidth) / Math.max(count, 1))))

    implicitHeight: boxHeight
    Accessible.role: Accessible.StaticText
    Accessible.name: View.boxesName
    LayoutMirroring.enabled: false
    LayoutMirroring.childrenInherit: true

    Row {
        id: row
        anchors.horizontalCenter: parent.horizontalCenter
        spacing: boxes.between

        Repeater {
            id: repeater
            model: View.boxes

            Item {
                id: place
                required property string glyph
                required property string kind
                required property bool gap

                width: boxes.boxWidth + (gap ? boxes.gapWidth : 0)
                height: boxes.boxHeight

                Rectangle {
                    anchors.right: parent.right
                    width: boxes.boxWidth
                    height: parent.height
                    radius: Metrics.radiusSmall
                    color: place.kind === "unknown" ? Theme.warnSoft : Theme.surface
                    border.width: Metrics.line
                    border.color: place.kind === "empty" ? Theme.line : place.kind === "unknown" ? Theme.warn : Theme.primary

                    Text {
                        anchors.centerIn: parent
                        text: place.glyph
                        color: place.kind === "empty" ? Theme.muted : place.kind === "unknown" ? Theme.warn : Theme.ink
                        font.family: Display.family
                        font.pixelSize: Math.min(boxes.fontSize, boxes.boxWidth * 1.35, boxes.boxHeight * 0.72)
                        font.weight: place.kind === "empty" ? Font.Normal : Font.Bold
                        font.features: ({
                                "tnum": 1
                            })
                        Accessible.ignored: true
                    }
                }
            }
        }
    }
}
