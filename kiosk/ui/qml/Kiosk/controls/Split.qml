import QtQuick
import QtQuick.Layouts
import Kiosk

// Two blocks: one above the other on an upright screen, side by side on a wide one.
GridLayout {
    columns: Metrics.landscape ? 2 : 1
    columnSpacing: Metrics.gapWide
    rowSpacing: Metrics.mm(Metrics.narrow ? 5 : 8)
    Layout.fillWidth: true
    Layout.fillHeight: true
}
