package kubeapi

import (
	"encoding/json"
	"net/http"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// selfReviews are the kinds that are answered rather than stored, by group/resource.
func selfReviews() map[string]string {
	return map[string]string{
		"authorization.k8s.io/selfsubjectaccessreviews": "SelfSubjectAccessReview",
		"authorization.k8s.io/selfsubjectrulesreviews":  "SelfSubjectRulesReview",
		"authentication.k8s.io/selfsubjectreviews":      "SelfSubjectReview",
	}
}

func selfReview(in info) (string, bool) {
	kind, ok := selfReviews()[in.group+"/"+in.resource]
	return kind, ok && in.version == "v1" && in.name == "" && in.namespace == ""
}

// review answers a question of a user about itself.
func (s *Server) review(w http.ResponseWriter, r *http.Request, c *call, kind string) error {
	if r.Method != http.MethodPost {
		return apierrors.NewMethodNotSupported(Resource{Group: c.info.group, Plural: c.info.resource}.GroupResource(), lower(r.Method))
	}
	obj, err := decode(r)
	if err != nil {
		return err
	}
	if obj == nil {
		return apierrors.NewBadRequest("the body of the request is empty")
	}
	raw, err := json.Marshal(obj)
	if err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	if k, _ := obj["kind"].(string); k != "" && k != kind {
		return apierrors.NewBadRequest("the kind in the data (" + k + ") does not match the expected kind (" + kind + ")")
	}
	answer, err := s.answer(c, kind, raw)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusCreated, answer)
	return nil
}

func (s *Server) answer(c *call, kind string, raw []byte) (any, error) {
	switch kind {
	case "SelfSubjectAccessReview":
		return s.mayI(c, raw)
	case "SelfSubjectRulesReview":
		// An Authorizer is a function and cannot list its rules; the real server says the same of webhooks.
		var review authorizationv1.SelfSubjectRulesReview
		if err := json.Unmarshal(raw, &review); err != nil {
			return nil, apierrors.NewBadRequest(err.Error())
		}
		review.APIVersion, review.Kind = "authorization.k8s.io/v1", kind
		review.Status = authorizationv1.SubjectRulesReviewStatus{
			ResourceRules: []authorizationv1.ResourceRule{}, NonResourceRules: []authorizationv1.NonResourceRule{},
			Incomplete: true, EvaluationError: "the authorizer does not support user rule resolution",
		}
		return review, nil
	default:
		var review authenticationv1.SelfSubjectReview
		review.APIVersion, review.Kind = "authentication.k8s.io/v1", kind
		review.Status.UserInfo = authenticationv1.UserInfo{Username: c.user.Name, UID: c.user.UID, Groups: c.user.Groups}
		return review, nil
	}
}

func (s *Server) mayI(c *call, raw []byte) (any, error) {
	var review authorizationv1.SelfSubjectAccessReview
	if err := json.Unmarshal(raw, &review); err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	a, err := asked(review.Spec)
	if err != nil {
		return nil, err
	}
	allowed, reason := s.allows(c.user, a)
	review.APIVersion, review.Kind = "authorization.k8s.io/v1", "SelfSubjectAccessReview"
	review.Status = authorizationv1.SubjectAccessReviewStatus{Allowed: allowed, Reason: reason}
	return review, nil
}

func asked(spec authorizationv1.SelfSubjectAccessReviewSpec) (Attributes, error) {
	res, path := spec.ResourceAttributes, spec.NonResourceAttributes
	switch {
	case res != nil && path == nil:
		return Attributes{
			Verb: res.Verb, Group: res.Group, Version: res.Version, Resource: res.Resource,
			Subresource: res.Subresource, Namespace: res.Namespace, Name: res.Name,
		}, nil
	case path != nil && res == nil:
		return Attributes{Verb: path.Verb, Path: path.Path}, nil
	}
	return Attributes{}, &apierrors.StatusError{ErrStatus: statusOf(http.StatusUnprocessableEntity, "Invalid",
		"SelfSubjectAccessReview.authorization.k8s.io \"\" is invalid: spec.resourceAttributes: Invalid value: exactly one of nonResourceAttributes or resourceAttributes must be specified")}
}
