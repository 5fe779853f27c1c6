import QtQuick
import QtQuick.Layouts
import Kiosk
import Kiosk.View

// A column that fills the page, and turns into pages with two visible buttons when it is longer than the screen.
Item {
    id: scroller
    default property alias content: column.data
    property alias spacing: column.spacing
    readonly property bool overflows: needed > height
    readonly property real needed: column.Layout.minimumHeight
    readonly property int step: Math.max(flick.height - Metrics.body * 2, Metrics.target)

    function reveal(item: Item) {
        if (!overflows || item === null)
            return;
        let parent = item;
        while (parent !== null && parent !== column)
            parent = parent.parent;
        if (parent === null)
            return;
        const margin = Metrics.focusWidth + Metrics.focusHalo;
        const top = item.mapToItem(column, 0, 0).y;
        if (top - margin < flick.contentY)
            flick.contentY = Math.max(0, top - margin);
        else if (top + item.height + margin > flick.contentY + flick.height)
            flick.contentY = Math.min(flick.contentHeight - flick.height, top + item.height + margin - flick.height);
    }

    Connections {
        target: scroller.Window.window
        function onActiveFocusItemChanged() {
            scroller.reveal(scroller.Window.window.activeFocusItem);
        }
    }

    Flickable {
        id: flick
        objectName: "flick"
        width: parent.width
        height: scroller.overflows ? parent.height - buttons.height - Metrics.gap : parent.height
        contentWidth: width
        contentHeight: column.height
        clip: scroller.overflows
        interactive: scroller.overflows
        boundsBehavior: Flickable.StopAtBounds
        pixelAligned: true

        ColumnLayout {
            id: column
            width: flick.width
            height: Math.max(scroller.needed, flick.height)
            spacing: Metrics.gapWide
        }
    }
    RowLayout {
        id: buttons
        visible: scroller.overflows
        anchors.bottom: parent.bottom
        width: parent.width
        spacing: Metrics.gap

        KButton {
            Layout.fillWidth: true
            kind: "quiet"
            text: Words.less
            iconName: "up"
            enabled: !flick.atYBeginning
            opacity: enabled ? 1 : 0
            onClicked: flick.contentY = Math.max(0, flick.contentY - scroller.step)
        }
        KButton {
            Layout.fillWidth: true
            kind: "quiet"
            text: Words.more
            iconName: "down"
            enabled: !flick.atYEnd
            opacity: enabled ? 1 : 0
            onClicked: flick.contentY = Math.min(flick.contentHeight - flick.height, flick.contentY + scroller.step)
        }
    }
}
