pragma Singleton
import QtQuick
import Kiosk.View

// Millimetres to pixels, rounded up. Nothing else knows a size.
QtObject {
    readonly property bool landscape: Display.widthPx > Display.heightPx
    readonly property bool sideBySide: landscape && Display.textScale < 1.4 // two columns of words need room
    readonly property real widthMm: Display.widthPx / Display.pxPerMm
    readonly property real heightMm: Display.heightPx / Display.pxPerMm

    function mm(millimetres: real): int {
        return Math.ceil(millimetres * Display.pxPerMm - 1e-6);
    }

    // Font size whose capitals are so many millimetres high, at the member's scale.
    function cap(millimetres: real): int {
        return Math.ceil(millimetres * Display.textScale * Display.pxPerMm / Display.capRatio);
    }

    readonly property int target: mm(20)
    readonly property int targetMin: mm(15)
    readonly property int gap: mm(4)
    readonly property int gapWide: mm(8)
    readonly property int margin: mm(widthMm < 220 ? 10 : 14)
    readonly property int line: mm(0.6)
    readonly property int hair: mm(0.3)
    readonly property int focusWidth: mm(1.2)
    readonly property int focusHalo: mm(0.8)
    readonly property int radius: mm(3)
    readonly property int radiusSmall: mm(1.8)

    // A capital H subtends 0.7° at the configured viewing distance.
    readonly property real capBodyMm: Display.viewingMm * Math.PI * 0.7 / 180
    readonly property int body: cap(capBodyMm)
    readonly property int lead: cap(narrow ? capBodyMm : capBodyMm * 1.22)
    readonly property int title: cap(narrow || landscape ? 7.6 : 9)
    readonly property int hero: cap(narrow || landscape ? 8.4 : 11.5)
    readonly property int code: cap(16)
    readonly property bool narrow: Math.min(widthMm, heightMm) < 240
    readonly property int icon: mmText(9)

    // Millimetres that grow with the text they stand beside.
    function mmText(millimetres: real): int {
        return mm(millimetres * Display.textScale);
    }
    readonly property real lineHeight: 1.22
}
