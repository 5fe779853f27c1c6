pragma ComponentBehavior: Bound
import QtQuick
import QtQuick.Window
import Kiosk
import Kiosk.View

// The window: one stage of the screen's real size, one page at a time. It maps a page's name to a file and nothing more.
Window {
    id: window

    readonly property real fitted: Math.min(Screen.desktopAvailableWidth * 0.6 / Display.widthPx, Screen.desktopAvailableHeight * 0.92 / Display.heightPx, 1)

    width: Display.fit ? Math.floor(Display.widthPx * fitted) : Display.widthPx
    height: Display.fit ? Math.floor(Display.heightPx * fitted) : Display.heightPx
    flags: Display.fit ? Qt.Window : Qt.Window | Qt.FramelessWindowHint
    color: Theme.bg

    FocusScope {
        id: stage
        objectName: "stage"
        width: Display.widthPx
        height: Display.heightPx
        focus: true
        transformOrigin: Item.TopLeft
        scale: Display.fit ? Math.min(window.width / width, window.height / height) : 1

        function move(forward: bool) {
            const from = window.activeFocusItem ?? stage;
            from.nextItemInFocusChain(forward).forceActiveFocus(forward ? Qt.TabFocusReason : Qt.BacktabFocusReason);
        }

        Keys.onPressed: event => {
            Hand.activity();
            event.accepted = true;
            if (event.key === Qt.Key_Down)
                stage.move(true);
            else if (event.key === Qt.Key_Up)
                stage.move(false);
            else if (View.keypad && event.key >= Qt.Key_0 && event.key <= Qt.Key_9)
                Hand.digit(event.key - Qt.Key_0);
            else if (View.keypad && event.key === Qt.Key_Backspace)
                Hand.erase();
            else if (View.keypad && View.canSubmit && (event.key === Qt.Key_Return || event.key === Qt.Key_Enter))
                Hand.submit();
            else
                event.accepted = event.key !== Qt.Key_Tab && event.key !== Qt.Key_Backtab;
        }

        Loader {
            id: loader
            objectName: "page"
            anchors.fill: parent
            focus: true
        }

        // A second tap meant for the page before must not press the button that has just come under the finger.
        MouseArea {
            objectName: "shield"
            anchors.fill: parent
            enabled: settle.running
            visible: enabled
            Accessible.ignored: true

            Timer {
                id: settle
                interval: 350
            }
        }

        // On top of everything, so that it sees each touch before a control keeps it; it takes none.
        Item {
            anchors.fill: parent
            Accessible.ignored: true

            PointHandler {
                target: null
                onActiveChanged: if (active) Hand.activity()
            }
        }

        Connections {
            target: View
            function onPageChanged() {
                loader.setSource("");
                loader.setSource("Kiosk/pages/" + View.page.charAt(0).toUpperCase() + View.page.slice(1) + ".qml");
                settle.restart();
            }
        }
    }
}
