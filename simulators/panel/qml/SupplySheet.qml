import QtQuick
import Kiosk

// Something that the kiosk depends on and that can be taken away: network, paper.
Sheet {
    id: supply
    required property bool there
    required property bool busy
    required property string takeText
    required property string giveText

    signal wanted(there: bool)

    bodyHeight: 36
    conditionColor: there ? Theme.ok : Theme.error

    Push {
        width: parent.width
        enabled: !supply.busy
        text: supply.there ? supply.takeText : supply.giveText
        onClicked: supply.wanted(!supply.there)
    }
}
