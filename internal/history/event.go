package history

import (
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/activity"
	"github.com/roster-dev/roster/internal/text"
)

const (
	// ReportingController is who reports the Events.
	ReportingController = "roster.dev/roster"
	// reportingInstance is the same after a restart: which replica saw a change is of no account.
	reportingInstance = "roster-manager"

	// The annotations of an Event hold whole what its note may have to cut.
	annotationActor        = v1alpha1.AnnotationPrefix + "actor"
	annotationActorBecause = v1alpha1.AnnotationPrefix + "actor-because"
	annotationField        = v1alpha1.AnnotationPrefix + "field"
	annotationPrevious     = v1alpha1.AnnotationPrefix + "previous"
	annotationNew          = v1alpha1.AnnotationPrefix + "new"
	annotationCoalesced    = v1alpha1.AnnotationPrefix + "coalesced"
	annotationGone         = v1alpha1.AnnotationPrefix + "gone"
	annotationCause        = v1alpha1.AnnotationPrefix + "cause"
	annotationState        = v1alpha1.AnnotationPrefix + "state"
	// annotationNamespace and annotationOrganization are where the object and its history belong, also of an Event that had to
	// be made in the namespace default.
	annotationNamespace    = v1alpha1.AnnotationPrefix + "object-namespace"
	annotationOrganization = v1alpha1.AnnotationPrefix + "history-of"
	// annotationOrganizationUID tells the organization from others that had its name.
	annotationOrganizationUID = v1alpha1.AnnotationPrefix + "organization-uid"
)

// EventLabels mark the Events of this history.
var EventLabels = map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedByRoster}

// NewEvent writes a change as an Event in a namespace.
func NewEvent(change Change, namespace string) *eventsv1.Event {
	previous, next := recordedPair(change.Previous, change.New)
	event := &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: change.Name(), Labels: EventLabels,
			Annotations: annotations(change, previous, next),
		},
		EventTime:           metav1.NewMicroTime(change.Time),
		ReportingController: ReportingController,
		ReportingInstance:   reportingInstance,
		Action:              change.Action,
		Reason:              change.Action,
		Note:                note(change),
		Type:                corev1.EventTypeNormal,
		Regarding: corev1.ObjectReference{
			APIVersion: v1alpha1.GroupVersion.String(), Kind: change.Object.Kind,
			Name: change.Object.Name, UID: change.Object.UID, Namespace: namespace,
		},
	}
	if namespace == metav1.NamespaceDefault {
		// The API server takes an Event about another namespace's object here only if it names no namespace.
		event.Regarding.Namespace = ""
	}
	if change.Warning {
		event.Type = corev1.EventTypeWarning
	}
	return event
}

func annotations(change Change, previous, next string) map[string]string {
	annotations := map[string]string{annotationActor: change.Actor.Name}
	add := func(key, value string) {
		if value != "" {
			annotations[key] = value
		}
	}
	add(annotationActorBecause, change.Actor.Because)
	add(annotationField, change.Field)
	add(annotationPrevious, text.Cut(previous, longestValue))
	add(annotationNew, text.Cut(next, longestValue))
	add(annotationNamespace, change.Object.Namespace)
	add(annotationOrganization, change.Organization)
	add(annotationOrganizationUID, string(change.OrganizationUID))
	add(annotationCause, change.Cause.String())
	add(annotationState, change.State)
	if change.Coalesced {
		add(annotationCoalesced, strconv.FormatBool(true))
	}
	if change.Gone {
		add(annotationGone, strconv.FormatBool(true))
	}
	return annotations
}

// String names an object as kubectl would be asked for it.
func (o Object) String() string {
	switch {
	case o.Kind == "":
		return ""
	case o.Namespace == "":
		return o.Kind + "/" + o.Name
	}
	return o.Kind + "/" + o.Namespace + "/" + o.Name
}

// note is the change on one line.
func note(change Change) string {
	line := change.Actor.Name
	if change.Actor.Because != "" {
		line += " (" + change.Actor.Because + ")"
	}
	line += ": "
	switch {
	case change.Field == "" && change.New == "":
		line += change.Object.Kind + " " + change.Object.Name
	case change.Field == "":
		line += fmt.Sprintf("%s %s with %s", change.Object.Kind, change.Object.Name, ShownValues(change.New))
	default:
		line += shownPair(change.Previous, change.New)
	}
	remark := ""
	if change.Cause.Kind != "" {
		remark += "; because of " + change.Cause.String()
	}
	if change.Remark != "" {
		remark += "; " + change.Remark
	}
	remark = text.Cut(remark, longestNote/2)
	return text.Cut(line, longestNote-len(remark)) + remark
}

// RecordOf is what the store keeps of an Event. That of an Event that an earlier run made is the same.
func RecordOf(event *eventsv1.Event) activity.Record {
	annotations := event.Annotations
	return activity.Record{
		Key:       event.Name,
		Time:      event.EventTime.Time,
		Namespace: annotations[annotationOrganization], OrganizationUID: types.UID(annotations[annotationOrganizationUID]),
		Object: activity.Object{
			Kind: event.Regarding.Kind, Namespace: annotations[annotationNamespace],
			Name: event.Regarding.Name, UID: event.Regarding.UID,
		},
		Actor: annotations[annotationActor], ActorUnknownBecause: annotations[annotationActorBecause],
		Action: event.Action, Field: annotations[annotationField],
		Previous: annotations[annotationPrevious], New: annotations[annotationNew],
		Note: event.Note, Coalesced: annotations[annotationCoalesced] != "", Gone: annotations[annotationGone] != "",
		Cause: annotations[annotationCause], State: annotations[annotationState],
	}
}

// KnownFrom is what the store last heard of an object.
func KnownFrom(latest activity.Recorded) Known {
	return Known{
		Object: Object{
			Kind: latest.Object.Kind, Namespace: latest.Object.Namespace, Name: latest.Object.Name, UID: latest.Object.UID,
		},
		OrganizationUID: latest.OrganizationUID, Recorded: latest.Changed, Values: latest.Values,
	}
}
