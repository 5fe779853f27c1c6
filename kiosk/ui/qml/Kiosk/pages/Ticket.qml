import QtQuick
import Kiosk
import Kiosk.View

// A ticket: on its way, printed, or the four answers.
Loader {
    sourceComponent: View.hasRows ? answers : plain

    Component {
        id: answers
        AnswersPage {}
    }
    Component {
        id: plain
        PicturePage {}
    }
}
