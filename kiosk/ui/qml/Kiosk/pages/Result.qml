import QtQuick
import Kiosk
import Kiosk.View

// How the update ended: changed lines, a plain success, or the four answers.
Loader {
    sourceComponent: View.hasChanges ? changes : View.hasRows ? answers : plain

    Component {
        id: changes
        ChangesPage {}
    }
    Component {
        id: answers
        AnswersPage {}
    }
    Component {
        id: plain
        PicturePage {}
    }
}
