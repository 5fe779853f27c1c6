import QtQuick
import Kiosk
import Kiosk.View

// Text that is in the accessibility tree under exactly the words that are drawn.
Text {
    property bool heading: false

    color: Theme.ink
    font.family: Display.family
    font.pixelSize: Metrics.body
    font.features: ({
            "tnum": 1
        })
    lineHeight: Metrics.lineHeight
    wrapMode: Text.WordWrap
    textFormat: Text.PlainText
    Accessible.role: heading ? Accessible.Heading : Accessible.StaticText
    Accessible.name: text
    Accessible.ignored: text === ""
}
