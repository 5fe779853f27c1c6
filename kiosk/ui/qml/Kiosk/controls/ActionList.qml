pragma ComponentBehavior: Bound
import QtQuick
import QtQuick.Controls.Basic
import QtQuick.Layouts
import Kiosk
import Kiosk.View

// Lines of the view as large buttons: pictogram, title, what it is for.
ColumnLayout {
    id: list
    property string title: ""
    spacing: Metrics.gap

    KText {
        Layout.fillWidth: true
        visible: text !== ""
        text: list.title
        color: Theme.muted
    }
    Repeater {
        model: View.rows

        Button {
            id: action
            required property string title
            required property string pictogram
            required property string tone
            required property string choice
            required property string detail

            Layout.fillWidth: true
            implicitHeight: Math.max(Metrics.mm(Metrics.narrow ? 20 : 24), words.implicitHeight + Metrics.mm(7))
            text: title
            Accessible.name: title
            Accessible.description: detail
            Keys.onReturnPressed: click()
            Keys.onEnterPressed: click()
            onClicked: Hand.choose(choice)

            background: Rectangle {
                radius: Metrics.radius
                color: action.down ? Theme.primarySoft : Theme.surface
                border.width: Metrics.line
                border.color: Theme.line

                FocusRing {
                    visible: action.visualFocus
                }
            }
            contentItem: RowLayout {
                spacing: Metrics.mm(6)

                Rectangle {
                    Layout.leftMargin: Metrics.mm(4)
                    Layout.preferredWidth: Metrics.mmText(Metrics.landscape ? 12 : 15)
                    Layout.preferredHeight: Metrics.mmText(Metrics.landscape ? 12 : 15)
                    radius: width / 2
                    color: Theme.primarySoft

                    KIcon {
                        anchors.centerIn: parent
                        name: action.pictogram
                    }
                }
                ColumnLayout {
                    id: words
                    spacing: 0
                    Layout.fillWidth: true

                    Text {
                        Layout.fillWidth: true
                        text: action.title
                        color: Theme.primary
                        font.family: Display.family
                        font.pixelSize: Metrics.body
                        font.weight: Font.DemiBold
                        wrapMode: Text.WordWrap
                        Accessible.ignored: true
                    }
                    KText {
                        Layout.fillWidth: true
                        // A small screen keeps the names of the actions on one page; a reason is never left out.
                        visible: !Metrics.narrow || action.tone === "muted"
                        text: action.detail
                        color: Theme.muted
                        lineHeight: 1.1
                    }
                }
                KIcon {
                    Layout.rightMargin: Metrics.mm(4)
                    name: "next"
                }
            }
        }
    }
}
