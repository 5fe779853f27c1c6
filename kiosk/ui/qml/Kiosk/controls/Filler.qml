import QtQuick
import QtQuick.Layouts

// Takes the height that is left, so that what is to be read stays together at the top.
Item {
    Layout.fillHeight: true
}
