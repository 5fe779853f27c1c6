pragma Singleton
import QtQuick
import Kiosk.View

// Colours by role, one column a theme. The contrast themes drop colour: icon and word always carry the meaning.
QtObject {
    readonly property int column: ["clair", "jaune", "blanc"].indexOf(Display.theme)

    function pick(clair: color, jaune: color, blanc: color): color {
        return column === 1 ? jaune : column === 2 ? blanc : clair;
    }

    function tone(name: string): color {
        return name === "ok" ? ok : name === "warn" ? warn : name === "error" ? error : name === "muted" ? muted : primary;
    }

    function toneSoft(name: string): color {
        return name === "ok" ? okSoft : name === "warn" ? warnSoft : name === "error" ? errorSoft : name === "muted" ? bg : primarySoft;
    }

    readonly property color bg: pick("#F5F7FB", "#000000", "#000000")
    readonly property color surface: pick("#FFFFFF", "#000000", "#000000")
    readonly property color ink: pick("#12172B", "#FFE600", "#FFFFFF")
    readonly property color muted: pick("#43495F", "#FFE600", "#FFFFFF")
    readonly property color line: pick("#6B7288", "#FFE600", "#FFFFFF")
    readonly property color hairline: pick("#D9DEEA", "#FFE600", "#FFFFFF")
    readonly property color primary: pick("#0B3D91", "#FFE600", "#FFFFFF")
    readonly property color primaryPressed: pick("#072B68", "#CCB800", "#CCCCCC")
    readonly property color accent: pick("#005B50", "#FFE600", "#FFFFFF")
    readonly property color inkOnPrimary: pick("#FFFFFF", "#000000", "#000000")
    readonly property color inkOnAccent: pick("#FFFFFF", "#000000", "#000000")
    readonly property color ok: pick("#0B5D33", "#FFE600", "#FFFFFF")
    readonly property color warn: pick("#7A4200", "#FFE600", "#FFFFFF")
    readonly property color error: pick("#9B1C1C", "#FFE600", "#FFFFFF")
    readonly property color focus: pick("#8A0F4E", "#00E5FF", "#FFD400")
    readonly property color focusHalo: pick("#FFFFFF", "#000000", "#000000")

    // Quiet grounds for pictograms and notices; ink, primary, ok, warn and error are read on them.
    readonly property color primarySoft: pick("#EAF0FB", "#000000", "#000000")
    readonly property color okSoft: pick("#E6F4EC", "#000000", "#000000")
    readonly property color warnSoft: pick("#FFF4E3", "#000000", "#000000")
    readonly property color errorSoft: pick("#FBECEC", "#000000", "#000000")

    // Illustrations: never carry text, except the printed number on the card.
    readonly property color sky: pick("#DCE7F9", "#000000", "#000000")
    readonly property color cardFace: pick("#BFE3D2", "#000000", "#000000")
    readonly property color cardFaceDeep: pick("#8FCBB2", "#000000", "#000000")
    readonly property color cardOld: pick("#E9E4C9", "#000000", "#000000")
    readonly property color cardOldDeep: pick("#D2C88F", "#000000", "#000000")
    readonly property color cardOther: pick("#C9CEDB", "#000000", "#000000")
    readonly property color cardOtherDeep: pick("#A9B1C4", "#000000", "#000000")
    readonly property color cardEdge: pick("#2C6B55", "#FFE600", "#FFFFFF")
    readonly property color chip: pick("#E2BE5C", "#FFE600", "#FFFFFF")
    readonly property color chipLine: pick("#7A5C14", "#000000", "#000000")
    readonly property color photo: pick("#FFFFFF", "#000000", "#000000")
    readonly property color person: pick("#5C7C93", "#FFE600", "#FFFFFF")
    readonly property color shell: pick("#24345C", "#000000", "#000000")
    readonly property color shellDeep: pick("#121B36", "#FFE600", "#FFFFFF")
    readonly property color shellLight: pick("#5FD0A5", "#FFE600", "#FFFFFF")
}
