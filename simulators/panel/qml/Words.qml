import QtQuick
import Kiosk
import Simulators.Panel

// Text of the panel, in the accessibility tree under the words that are drawn.
Text {
    property bool heading: false

    color: Theme.ink
    font.family: Bench.family
    font.pixelSize: heading ? 15 : 14
    font.weight: heading ? Font.DemiBold : Font.Normal
    wrapMode: Text.WordWrap
    textFormat: Text.PlainText
    Accessible.role: heading ? Accessible.Heading : Accessible.StaticText
    Accessible.name: text
    Accessible.ignored: text === ""
}
