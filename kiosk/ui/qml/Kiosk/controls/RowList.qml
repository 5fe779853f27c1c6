pragma ComponentBehavior: Bound
import QtQuick
import QtQuick.Layouts
import Kiosk
import Kiosk.View

// Lines of the view: pictogram in a disc, title, text. `compact`: title and text on one line, for a short list of states.
Rectangle {
    id: list
    property string title: ""
    property bool compact: false

    implicitHeight: column.implicitHeight + 2 * Metrics.mm(compact || Metrics.narrow ? 3 : 5)
    radius: Metrics.radius
    color: Theme.surface
    border.width: Metrics.hair
    border.color: Theme.hairline

    ColumnLayout {
        id: column
        anchors.left: parent.left
        anchors.right: parent.right
        anchors.verticalCenter: parent.verticalCenter
        anchors.margins: Metrics.mm(6)
        spacing: Metrics.mm(list.compact ? (Metrics.narrow ? 0 : 1.5) : Metrics.narrow ? 3 : 5)

        KText {
            Layout.fillWidth: true
            visible: text !== ""
            text: list.title
            color: Theme.muted
        }
        Repeater {
            model: View.rows

            RowLayout {
                id: line
                required property string title
                required property string detail
                required property string pictogram
                required property string tone

                spacing: Metrics.mm(5)
                Layout.fillWidth: true

                Rectangle {
                    visible: !list.compact
                    Layout.preferredWidth: Metrics.mmText(Metrics.narrow ? 11 : 14)
                    Layout.preferredHeight: Metrics.mmText(Metrics.narrow ? 11 : 14)
                    Layout.alignment: Qt.AlignTop
                    radius: width / 2
                    color: Theme.toneSoft(line.tone)
                    border.width: Metrics.hair
                    border.color: Theme.tone(line.tone)

                    KIcon {
                        anchors.centerIn: parent
                        width: Metrics.mmText(Metrics.narrow ? 6.5 : 8)
                        height: width
                        name: line.pictogram
                        color: Theme.tone(line.tone)
                    }
                }
                KIcon {
                    visible: list.compact
                    Layout.preferredWidth: Metrics.mmText(7)
                    Layout.preferredHeight: Metrics.mmText(7)
                    Layout.alignment: Qt.AlignTop
                    Layout.topMargin: Metrics.mmText(1.5)
                    weight: 3
                    name: line.pictogram
                    color: Theme.tone(line.tone)
                }
                GridLayout {
                    columns: list.compact && title.implicitWidth + detail.implicitWidth + columnSpacing <= width ? 2 : 1
                    columnSpacing: Metrics.gap
                    rowSpacing: Metrics.mm(list.compact ? 0 : 1)
                    Layout.fillWidth: true

                    KText {
                        id: title
                        Layout.fillWidth: true
                        visible: text !== ""
                        text: line.title
                        font.weight: line.detail === "" ? Font.Normal : Font.DemiBold
                    }
                    KText {
                        id: detail
                        Layout.fillWidth: parent.columns === 1
                        visible: text !== ""
                        text: line.detail
                        color: list.compact ? Theme.tone(line.tone) : Theme.ink
                    }
                }
            }
        }
    }
}
